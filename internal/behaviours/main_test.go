package main

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"testing"
)

// pinned are the behaviours that must have a test.
var pinned = func() (numbers []string) {
	for _, r := range [][2]int{{1, 28}, {46, 53}, {56, 79}, {95, 98}, {101, 113}, {117, 125}} {
		for n := r[0]; n <= r[1]; n++ {
			numbers = append(numbers, fmt.Sprintf("%03d", n))
		}
	}
	return append(numbers, "057a")
}()

func TestEveryPinnedBehaviourHasATest(t *testing.T) {
	pins, err := find("../..")
	if err != nil {
		t.Fatal(err)
	}
	for _, number := range pinned {
		if !slices.ContainsFunc(pins, func(p pin) bool { return p.number == number }) {
			t.Errorf("no test is called TestBehaviour%s_…", number)
		}
	}
}

func TestDocumentIsCurrent(t *testing.T) {
	pins, err := find("../..")
	if err != nil {
		t.Fatal(err)
	}
	var want bytes.Buffer
	if err := write(&want, pins); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile("../../docs/behaviours.md")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want.Bytes()) {
		t.Error("docs/behaviours.md is out of date: go run ./internal/behaviours > docs/behaviours.md")
	}
}

func TestWords(t *testing.T) {
	for name, want := range map[string]string{
		"QueryOnForeignHandle":     "Query on foreign handle",
		"WSAStartupTable":          "WSA startup table",
		"IFSHandle_LastCallerWins": "IFS handle Last caller wins",
		"SD":                       "SD",
	} {
		if got := words(name); got != want {
			t.Errorf("%s reads %q, want %q", name, got, want)
		}
	}
}

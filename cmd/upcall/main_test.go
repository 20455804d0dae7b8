package main

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"upcall.dev/launch"
)

func TestMain(m *testing.M) {
	launch.StageMain()
	fetchMain()
	testscript.Main(m, map[string]func(){"upcall": main, "denied": denied})
}

// The scripts are the commands of the help texts and the documentation, with a
// catalog of their own and a server to talk to.
func TestScripts(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write([]byte("served " + r.URL.Path + "\n"))
	}))
	t.Cleanup(server.Close) // the scripts run after this function has returned
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			env.Setenv("UPCALL_CATALOG", env.WorkDir+"/catalog.toml")
			env.Setenv("URL", server.URL)
			env.Setenv(fetchVariable, "")
			env.Setenv("GORACE", os.Getenv("GORACE"))
			return nil
		},
	})
}

func TestDemo(t *testing.T) {
	var out, errs bytes.Buffer
	if status := run([]string{"demo"}, streams{strings.NewReader(""), &out, &errs}); status != 0 {
		t.Fatalf("status %d: %s\n%s", status, errs.String(), out.String())
	}
	for _, want := range []string{
		"The client got the whole page", "WSPConnect", "WSPRecv",
		"WPUCompleteOverlappedRequest", "WPUQueueApc", "WPUOpenCurrentThread", "WPUQueryBlockingCallback",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the demo does not show %q:\n%s", want, out.String())
		}
	}
	if errs.Len() > 0 {
		t.Errorf("the demo complains: %s", errs.String())
	}
}

func TestHelpNamesEveryLayer(t *testing.T) {
	var out bytes.Buffer
	if status := run([]string{"run", "--help"}, streams{strings.NewReader(""), &out, os.Stderr}); status != 0 {
		t.Fatalf("status %d", status)
	}
	for _, name := range append(driverNames(true), driverNames(false)...) {
		if !strings.Contains(out.String(), name) {
			t.Errorf("run --help does not name %s", name)
		}
	}
}

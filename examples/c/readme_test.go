package c_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"upcall.dev/capi/ctest"
)

// The commands of the README, as they stand there, but for the server.
func TestReadme(t *testing.T) {
	ctest.NeedNoSanitizer(t, "the commands are without one")
	for _, tool := range []string{"bash", "curl", "gcc", "make", "pkg-config"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip(tool + " is not installed")
		}
	}
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	var commands strings.Builder
	shown := false // in a block that shows what programs print, too
	for line := range strings.Lines(string(text)) {
		command, indented := strings.CutPrefix(line, "    ")
		shown = indented && (shown || strings.HasPrefix(command, "$ "))
		if indented && !shown {
			commands.WriteString(command)
		}
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte("served\n"))
	}))
	defer server.Close()
	script := strings.ReplaceAll(commands.String(), "http://127.0.0.1:8000", server.URL)
	if script == commands.String() {
		t.Fatal("the README fetches nothing")
	}

	prefix, work := t.TempDir(), t.TempDir()
	install := exec.Command("make", "-C", "../..", "install", "BIN="+t.TempDir(), "PREFIX="+prefix,
		"LIBRARY="+ctest.Library(t), "HOST="+filepath.Dir(ctest.Host(t)))
	if out, err := install.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, dir := range []string{"ifs", "nonifs", "next", "install", "portecho"} {
		if err := os.CopyFS(filepath.Join(work, dir), os.DirFS(dir)); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "-ec", script)
	cmd.Dir = work
	cmd.Env = append(os.Environ(), "PATH="+filepath.Join(prefix, "bin")+":"+os.Getenv("PATH"),
		"PKG_CONFIG_PATH="+filepath.Join(prefix, "lib", "pkgconfig"), "LD_LIBRARY_PATH="+filepath.Join(prefix, "lib"))
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, want := range []string{"ifs is entry ", "\nserved\n", " connects 1 "} {
		if !strings.Contains(string(out), want) {
			t.Errorf("the commands print %q, without %q", out, want)
		}
	}
}

package docs_test

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Go code that the documents show stands in the repository as it is shown, or
// compiles as the body of a function.
func TestGoCode(t *testing.T) {
	var sources strings.Builder
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err == nil && filepath.Ext(path) == ".go" {
			var text []byte
			text, err = os.ReadFile(path)
			sources.Write(text)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	dir, seen := t.TempDir(), 0
	overlay := struct{ Replace map[string]string }{map[string]string{}}
	var packages []string
	for _, file := range documents(t) {
		for _, b := range fences(t, file) {
			if b.kind != "go" {
				continue
			}
			seen++
			if strings.Contains(sources.String(), b.text) {
				continue
			}
			name := fmt.Sprintf("snippet%d", len(packages))
			real := filepath.Join(dir, name+".go")
			code := fmt.Sprintf("//line %s:%d\n%s", absolute(t, file), b.line, wrapped(b.text))
			if err := os.WriteFile(real, []byte(code), 0o600); err != nil {
				t.Fatal(err)
			}
			overlay.Replace[filepath.Join(absolute(t, "."), name, "code.go")] = real
			packages = append(packages, "./docs/"+name)
		}
	}
	if seen < 5 {
		t.Errorf("only %d pieces of code were found", seen)
	}
	if len(packages) == 0 {
		return
	}
	text, err := json.Marshal(overlay)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "overlay.json"), text, 0o600); err != nil {
		t.Fatal(err)
	}
	build := exec.Command("go", append([]string{"build", "-overlay", filepath.Join(dir, "overlay.json")}, packages...)...)
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// What a piece of code may use without showing where it comes from.
var (
	imports  = map[string]string{"http": "net/http", "catalog": "upcall.dev/catalog", "wsnet": "upcall.dev/wsnet"}
	declared = map[string]string{"handler": "http.Handler"}
)

// wrapped makes a file of statements, which may begin with their imports.
func wrapped(code string) string {
	head, body := "", code
	if strings.HasPrefix(code, "import (") {
		end := strings.Index(code, "\n)\n") + len("\n)\n")
		head, body = code[:end], code[end:]
	}
	for name, path := range imports {
		if regexp.MustCompile(`\b`+name+`\.`).MatchString(body) && !strings.Contains(head, `"`+path+`"`) {
			head += fmt.Sprintf("import %q\n", path)
		}
	}
	for name, typ := range declared {
		if regexp.MustCompile(`\b` + name + `\b`).MatchString(body) {
			body = fmt.Sprintf("var %s %s\n%s", name, typ, body)
		}
	}
	var used []string
	for _, m := range regexp.MustCompile(`(?m)^(\w+(?:, \w+)*) :=`).FindAllStringSubmatch(body, -1) {
		for name := range strings.SplitSeq(m[1], ", ") {
			if !slices.Contains(used, name) {
				used = append(used, name)
				body += "_ = " + name + "\n"
			}
		}
	}
	return "package snippet\n" + head + "func _() {\n" + body + "}\n"
}

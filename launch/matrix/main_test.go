package matrix

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"go.uber.org/goleak"
)

// pageFile is where to write the page to, by make programs.
var pageFile = flag.String("page", "", "write the table of programs to this file")

// buildDir holds what the tests compile and write.
var buildDir string

func TestMain(m *testing.M) {
	flag.Parse()
	var err error
	if buildDir, err = os.MkdirTemp("", "upcall-matrix-"); err == nil {
		err = os.Chmod(buildDir, 0o755)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		os.RemoveAll(buildDir)
		if madeDirectory {
			_ = os.Remove(privileges)
		}
		os.Exit(code)
	}))
}

// built are the programs that have been compiled, by name.
var built struct {
	sync.Mutex
	paths map[string]string
}

// compile runs a compiler once for all tests and returns what it made.
func compile(t testing.TB, name string, how func(into string) *exec.Cmd) string {
	t.Helper()
	if given := os.Getenv(programVariable(name)); given != "" {
		return given
	}
	built.Lock()
	defer built.Unlock()
	if path := built.paths[name]; path != "" {
		return path
	}
	path := filepath.Join(buildDir, name)
	if out, err := how(path).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
	if built.paths == nil {
		built.paths = map[string]string{}
	}
	built.paths[name] = path
	return path
}

// programs are the variables by which a copy of the tests is told of what this
// one has compiled.
func programs() (variables []string) {
	built.Lock()
	defer built.Unlock()
	for name, path := range built.paths {
		variables = append(variables, programVariable(name)+"="+path)
	}
	return variables
}

func goProgram(t testing.TB, name, dir string) string {
	t.Helper()
	return compile(t, name, func(into string) *exec.Cmd {
		cmd := exec.Command("go", "build", "-trimpath", "-o", into, dir)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		return cmd
	})
}

// programVariable names the variable by which a copy of the tests, in a
// namespace, is told where a compiled program is.
func programVariable(name string) string { return "UPCALL_MATRIX_" + name }

// upcall is the command, as users have it.
func upcall(t testing.TB) string { return goProgram(t, "upcall", "../../cmd/upcall") }

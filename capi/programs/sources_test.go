package programs

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// fetchTime is the longest that apt may take for one step.
const fetchTime = 2 * time.Minute

// A source is an unpacked upstream archive of a Debian source package, without
// Debian's patches.
type source struct {
	version string // the package's
	archive string // the archive's SHA-256
	dir     string // the archive's top directory
}

// fetch returns the source of a Debian package, from the cache or else as apt
// fetches it: apt has checked its hash against the release's signed index. The
// test is skipped, with what apt says, where it cannot be had.
func fetch(t *testing.T, name string) source {
	t.Helper()
	dir := filepath.Join(cache(t), "sources", name)
	s, err := unpacked(dir)
	if errors.Is(err, os.ErrNotExist) {
		if err := download(t, name, dir); err != nil {
			t.Skipf("no source package %s here: %v", name, err)
		}
		s, err = unpacked(dir)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%s %s", name, s.version)
	return s
}

// unpacked reads what download left in dir.
func unpacked(dir string) (source, error) {
	about, err := os.ReadFile(filepath.Join(dir, "source"))
	if err != nil {
		return source{}, err
	}
	var s source
	if _, err := fmt.Sscanf(string(about), "%s %s", &s.version, &s.archive); err != nil {
		return source{}, fmt.Errorf("%s: %w; remove the directory", filepath.Join(dir, "source"), err)
	}
	s.dir = filepath.Join(dir, "tree")
	return s, nil
}

// download fills dir with the source of a package; dir appears as a whole.
func download(t *testing.T, name, dir string) error {
	t.Helper()
	for _, program := range []string{"apt-get", "tar", "xz"} {
		if _, err := exec.LookPath(program); err != nil {
			return err
		}
	}
	unlock := lock(t, "sources")
	defer unlock()
	if _, err := os.Stat(dir); err == nil {
		return nil // another process was first
	}
	config, err := aptConfig(t)
	if err != nil {
		return err
	}
	temp, err := os.MkdirTemp(cache(t), "fetch")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(temp) }()
	if out, err := apt(t, config, temp, "source", "--only-source", "--tar-only", "--download-only", name); err != nil {
		return fmt.Errorf("apt-get source: %w: %s", err, out)
	}
	archives, err := filepath.Glob(filepath.Join(temp, "*.tar.*z*"))
	if err != nil {
		return err
	}
	var archive string
	for _, a := range archives {
		if !strings.HasSuffix(a, ".asc") {
			archive = a
		}
	}
	if archive == "" {
		return fmt.Errorf("apt-get source left no archive of %s", name)
	}
	text, err := os.ReadFile(archive)
	if err != nil {
		return err
	}
	// NAME_VERSION.orig.tar.gz
	_, version, ok := strings.Cut(filepath.Base(archive), "_")
	if !ok {
		return fmt.Errorf("an archive of the name %s", filepath.Base(archive))
	}
	version = regexp.MustCompile(`(\.orig)?\.tar\..*`).ReplaceAllString(version, "")
	tree := filepath.Join(temp, "package", "tree")
	if err := os.MkdirAll(tree, 0o755); err != nil {
		return err
	}
	if out, err := limited(t, fetchTime, "tar", "-x", "--no-same-owner", "--strip-components=1", "-C", tree, "-f", archive).CombinedOutput(); err != nil {
		return fmt.Errorf("tar: %w: %s", err, out)
	}
	about := fmt.Sprintf("%s %s\n", version, hash(text))
	if err := os.WriteFile(filepath.Join(temp, "package", "source"), []byte(about), 0o644); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return err
	}
	return os.Rename(filepath.Join(temp, "package"), dir)
}

// aptConfig returns a configuration with which apt-get fetches source packages
// without privileges from where the machine has its binary packages from, and
// reads their index if that is not from today.
func aptConfig(t *testing.T) (string, error) {
	t.Helper()
	dir := filepath.Join(cache(t), "apt")
	parts := filepath.Join(dir, "sources.list.d")
	for _, d := range []string{parts, filepath.Join(dir, "lists", "partial"), filepath.Join(dir, "cache", "archives", "partial")} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return "", err
		}
	}
	n, err := sourceLists(parts)
	if err != nil {
		return "", err
	}
	if n == 0 {
		return "", errors.New("apt has no lists of packages: is this Debian?")
	}
	config := filepath.Join(dir, "apt.conf")
	text := fmt.Sprintf("Dir::Etc::sourcelist \"/dev/null\";\nDir::Etc::sourceparts %q;\nDir::State %q;\nDir::State::status \"/var/lib/dpkg/status\";\nDir::Cache %q;\nAPT::Sandbox::User \"\";\n",
		parts, dir, filepath.Join(dir, "cache"))
	if err := os.WriteFile(config, []byte(text), 0o644); err != nil {
		return "", err
	}
	stamp := filepath.Join(dir, "updated")
	if about, err := os.Stat(stamp); err == nil && time.Since(about.ModTime()) < 24*time.Hour {
		return config, nil
	}
	if out, err := apt(t, config, dir, "update"); err != nil {
		return "", fmt.Errorf("apt-get update: %w: %s", err, out)
	}
	return config, os.WriteFile(stamp, nil, 0o644)
}

// sourceLists writes the machine's lists of packages to dir, for source packages
// in place of binary ones, and returns how many there are.
func sourceLists(dir string) (int, error) {
	old := regexp.MustCompile(`(?m)^deb(\s)`)
	types := regexp.MustCompile(`(?mi)^Types:.*$`)
	files := []string{"/etc/apt/sources.list"}
	for _, pattern := range []string{"*.list", "*.sources"} {
		more, err := filepath.Glob(filepath.Join("/etc/apt/sources.list.d", pattern))
		if err != nil {
			return 0, err
		}
		files = append(files, more...)
	}
	n := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		if errors.Is(err, os.ErrNotExist) {
			continue
		} else if err != nil {
			return 0, err
		}
		if filepath.Ext(file) == ".sources" {
			text = types.ReplaceAll(text, []byte("Types: deb-src"))
		} else {
			text = old.ReplaceAll(text, []byte("deb-src$1"))
		}
		if !bytes.Contains(text, []byte("deb-src")) {
			continue
		}
		if err := os.WriteFile(filepath.Join(dir, filepath.Base(file)), text, 0o644); err != nil {
			return 0, err
		}
		n++
	}
	return n, nil
}

// apt runs apt-get with a configuration, in dir, and returns what it complains of.
func apt(t *testing.T, config, dir string, args ...string) (string, error) {
	t.Helper()
	var complaints bytes.Buffer
	cmd := limited(t, fetchTime, "apt-get", append([]string{"-q", "-q"}, args...)...)
	cmd.Env = append(os.Environ(), "APT_CONFIG="+config, "LC_ALL=C")
	cmd.Dir, cmd.Stderr = dir, &complaints
	err := cmd.Run()
	return strings.TrimSpace(complaints.String()), err
}

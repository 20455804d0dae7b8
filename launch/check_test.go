package launch

import (
	"debug/elf"
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"upcall.dev/catalog"
	"upcall.dev/launch/machine"
	"upcall.dev/spi"
)

// elfHeader is a program's header without anything behind it.
func elfHeader(class elf.Class, arch elf.Machine, kind elf.Type) string {
	h := make([]byte, 64)
	copy(h, elf.ELFMAG)
	h[elf.EI_CLASS], h[elf.EI_DATA], h[elf.EI_VERSION] = byte(class), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT)
	binary.LittleEndian.PutUint16(h[16:], uint16(kind))
	binary.LittleEndian.PutUint16(h[18:], uint16(arch))
	binary.LittleEndian.PutUint32(h[20:], uint32(elf.EV_CURRENT))
	if class == elf.ELFCLASS32 {
		binary.LittleEndian.PutUint16(h[40:], 52) // e_ehsize
		return string(h[:52])
	}
	binary.LittleEndian.PutUint16(h[52:], 64)
	return string(h)
}

func writeFile(t *testing.T, path, text string, mode os.FileMode) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
	return path
}

// found returns the finding about a subject that has a text.
func found(findings []machine.Finding, subject, text string) *machine.Finding {
	for i, f := range findings {
		if f.Subject == subject && strings.Contains(f.Detail, text) {
			return &findings[i]
		}
	}
	return nil
}

// What Check says of a program is what Run does with it.
func TestCheckOfPrograms(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	script := writeFile(t, at("script"), "#!/bin/sh -e\nexit 0\n", 0o755)
	nested := writeFile(t, at("nested"), "#! "+script+"\n", 0o755)
	loop := at("loop")
	writeFile(t, loop, "#!"+loop+"\n", 0o755)
	for _, c := range []struct {
		name, program, subject, says string
		state                        machine.State
	}{
		{"dynamic", need(t, "true"), "program", "64-bit", machine.OK},
		{"by name", "true", "program", "/true: 64-bit", machine.OK},
		{"static", goClient(t), "program", "static", machine.OK},
		{"script", script, "script", "run by /bin/sh", machine.OK},
		{"script of a script", nested, "script", "run by " + script, machine.OK},
		{"endless scripts", loop, "script", "more scripts", machine.Missing},
		{"no interpreter", writeFile(t, at("orphan"), "#!/no/such/interpreter\n", 0o755), "script", `"/no/such/interpreter", which is missing`, machine.Missing},
		{"line ends", writeFile(t, at("crlf"), "#!/bin/sh\r\ntrue\r\n", 0o755), "script", `"/bin/sh\r", which is missing`, machine.Missing},
		{"empty first line", writeFile(t, at("blank"), "#! \n", 0o755), "script", "neither a program", machine.Missing},
		{"noise", writeFile(t, at("noise"), "\x00\x01", 0o755), "program", "neither a program", machine.Missing},
		{"empty", writeFile(t, at("empty"), "", 0o755), "program", "neither a program", machine.Missing},
		{"header alone", writeFile(t, at("magic"), elf.ELFMAG, 0o755), "program", "no whole ELF file", machine.Missing},
		{"object", writeFile(t, at("object"), elfHeader(elf.ELFCLASS64, elf.EM_X86_64, elf.ET_REL), 0o755), "program", "no program", machine.Missing},
		{"other machine", writeFile(t, at("sparc"), elfHeader(elf.ELFCLASS64, elf.EM_SPARCV9, elf.ET_EXEC), 0o755), "program", "another architecture", machine.Missing},
		{"not executable", writeFile(t, at("plain"), "#!/bin/sh\n", 0o644), "program", "is not executable", machine.Missing},
		{"directory", dir, "program", "is a directory", machine.Missing},
		{"pipe", makePipe(t, at("pipe")), "program", "is not a regular file", machine.Missing},
		{"missing", at("nothing"), "program", "no such file", machine.Missing},
		{"not in PATH", "no-such-program-here", "program", "no such program", machine.Missing},
	} {
		t.Run(c.name, func(t *testing.T) {
			check := func(t *testing.T, isolate bool, _ string) {
				source, err := compose()
				if err != nil {
					t.Fatal(err)
				}
				o := Options{Catalog: source, Program: c.program, Isolate: isolate, Log: func(string) {}}
				findings := Check(t.Context(), o)
				door := machine.Run
				if isolate {
					door = machine.Isolate
				}
				f := found(findings, c.subject, c.says)
				if f == nil || f.State != c.state || f.State == machine.Missing && f.Remedy == "" {
					t.Errorf("%v of %q says %q: %+v", c.state, c.subject, c.says, findings)
				}
				if isolate || c.name == "static" { // it needs arguments
					return
				}
				code, err := Run(t.Context(), o)
				if ran := err == nil && code == 0; ran != machine.Works(findings, door) {
					t.Errorf("Run: %d, %v; Check: %+v", code, err, findings)
				}
			}
			if c.name == "dynamic" || c.name == "missing" {
				waysIn(t, check)
			} else { // what is found out about a file does not depend on the door
				check(t, false, "")
			}
		})
	}
}

func TestCheckOf32BitPrograms(t *testing.T) {
	source, err := compose()
	if err != nil {
		t.Fatal(err)
	}
	narrow := elf.EM_386
	if f, err := elf.Open("/proc/self/exe"); err == nil && f.Machine == elf.EM_AARCH64 {
		narrow = elf.EM_ARM
	}
	program := writeFile(t, filepath.Join(t.TempDir(), "narrow"), elfHeader(elf.ELFCLASS32, narrow, elf.ET_EXEC), 0o755)
	f := found(Check(t.Context(), Options{Catalog: source, Program: program}), "program", "32-bit")
	if f == nil || f.State != machine.Missing || !strings.Contains(f.Remedy, "--isolate") {
		t.Errorf("%+v", f)
	}
	f = found(Check(t.Context(), Options{Catalog: source, Program: program, Isolate: true}), "program", "32-bit")
	if f == nil || f.State != machine.OK {
		t.Errorf("%+v", f)
	}
}

// makePipe makes a named pipe that may be executed: whoever opens it waits for a writer.
func makePipe(t *testing.T, path string) string {
	t.Helper()
	if err := unix.Mkfifo(path, 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestCheckOfPrivileges(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root makes files of others")
	}
	source, err := compose()
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(t.TempDir(), "program")
	copyFile(t, need(t, "true"), program)
	check := func() []machine.Finding {
		return Check(t.Context(), Options{Catalog: source, Program: program})
	}
	if f := found(check(), "privileges", ""); f != nil {
		t.Errorf("%+v", f)
	}
	if err := os.Chown(program, 65534, 65534); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(program, 0o755|os.ModeSetuid); err != nil {
		t.Fatal(err)
	}
	findings := check()
	if f := found(findings, "privileges", "is setuid or setgid"); f == nil || f.State != machine.Note || !machine.Works(findings, machine.Run) {
		t.Errorf("%+v", findings)
	}
	// cap_net_raw+ep, revision 2
	capability := []byte{1, 0, 0, 2, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}
	if err := unix.Setxattr(program, "security.capability", capability, 0); err != nil {
		t.Skipf("this file system has no capabilities: %v", err)
	}
	if f := found(check(), "privileges", "file capabilities"); f == nil || f.State != machine.Note {
		t.Errorf("%+v", f)
	}
}

func TestCheckOfChains(t *testing.T) {
	composed := func(layers ...catalog.Layer) catalog.Source {
		source, err := compose(layers...)
		if err != nil {
			t.Fatal(err)
		}
		return source
	}
	program := need(t, "true")
	for _, c := range []struct {
		name          string
		source        catalog.Source
		open          bool
		subject, says string
		state         machine.State
	}{
		{"kernel", composed(), false, "TCP over IPv4", "as without upcall: the kernel's provider alone", machine.OK},
		{"IFS", composed(catalog.Layer{Name: "trace", Options: spi.Options{"file": "/dev/null"}}), false, "UDP over IPv6", `through the IFS chain "trace over`, machine.OK},
		{"non-IFS", composed(catalog.Layer{Name: "shape"}), false, "TCP over IPv6", `through the non-IFS chain "shape over`, machine.OK},
		{"broken", slowly(false, spi.Options{"mood": "broken"}), false, "chains", "does not start", machine.Missing},
		{"broken, open", slowly(false, spi.Options{"mood": "broken"}), true, "chains", "does not start", machine.Note},
		{"broken, open", slowly(false, spi.Options{"mood": "broken"}), true, "TCP over IPv4", "as without upcall: its chain does not start", machine.OK},
		{"empty", catalog.New(), false, "chains", "no provider for TCP", machine.Missing},
	} {
		t.Run(c.name, func(t *testing.T) {
			findings := Check(t.Context(), Options{Catalog: c.source, Program: program, FailOpen: c.open, Log: func(line string) { t.Error(line) }})
			if f := found(findings, c.subject, c.says); f == nil || f.State != c.state {
				t.Errorf("%v of %q says %q: %+v", c.state, c.subject, c.says, findings)
			}
			if works := machine.Works(findings, machine.Run); works != (c.state != machine.Missing) {
				t.Errorf("it works: %v: %+v", works, findings)
			}
		})
	}
	releaseHangs()
}

// The kernel lets nobody but root look into the processes of a file that may not be
// read.
func TestCheckOfUnreadablePrograms(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root makes files that others may not read")
	}
	dir, err := os.MkdirTemp("", "upcall-launch-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(dir, "program")
	copyFile(t, self, filepath.Join(dir, "host"))
	copyFile(t, need(t, "true"), program)
	if err := os.Chmod(program, 0o711); err != nil {
		t.Fatal(err)
	}
	const nobody = 65534
	for isolate, want := range map[string]string{"": "missing program", "yes": "note program"} {
		cmd := exec.Command(filepath.Join(dir, "host"), hostArgument, "-", program)
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
		cmd.Env = append(os.Environ(), hostChecks+"=1", hostIsolate+"="+isolate)
		out, err := cmd.CombinedOutput()
		if err != nil || !strings.Contains(string(out), want+" "+program+" may be executed but not read") {
			t.Errorf("%v: %s", err, out)
		}
	}
}

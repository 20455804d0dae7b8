package ws2

import (
	"fmt"
	"math/rand/v2"
	"os/exec"
	"strings"
	"testing"
)

func TestInetAddr(t *testing.T) {
	for text, want := range map[string]uint32{
		"127.0.0.1": 0x7f000001, "127.1": 0x7f000001, "0x7f.1": 0x7f000001, "0177.0.1": 0x7f000001,
		"2130706433": 0x7f000001, "1.2.3.4": 0x01020304, "1.2.772": 0x01020304, "0": 0, "0x0b.0xB": 0x0b00000b,
		"255.255.255.254": 0xfffffffe, "": 0xffffffff, "1.2.3.256": 0xffffffff, "1.2.3.4.5": 0xffffffff,
		"256.1": 0xffffffff, "1..2": 0xffffffff, "08": 0xffffffff, "0x": 0xffffffff, "1_0": 0xffffffff, "0b1": 0xffffffff, "-1": 0xffffffff, "::1": 0xffffffff,
		" ": 0, "1.2.3.4 5": 0x01020304, "1.2.3.4\n": 0x01020304, " 1.2.3.4": 0xffffffff, "004.003.002.020": 0x04030210, "4.003.002.0x10": 0x04030210,
	} {
		if got := Ntohl(InetAddr(text)); got != want {
			t.Errorf("InetAddr(%q) = %#x, want %#x", text, got, want)
		}
	}
	if got := InetNtoa(InetAddr("10.20.30.40")); got != "10.20.30.40" {
		t.Error(got)
	}
}

func FuzzInetAddr(f *testing.F) {
	f.Add("127.0.0.1")
	f.Add("0x7f.0377.65535")
	f.Fuzz(func(t *testing.T, text string) {
		if a := InetAddr(text); a != INADDR_NONE && InetAddr(InetNtoa(a)) != a {
			t.Errorf("%q: %#x is not what %s parses to", text, a, InetNtoa(a))
		}
	})
}

// inet_addr agrees with the C library on what is an address.
func TestInetAddrAsTheCLibrary(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("python3, which calls inet_aton of the C library, is not installed")
	}
	random := rand.New(rand.NewPCG(1, 2))
	parts := []string{"0", "1", "08", "017", "0x1f", "0X", "255", "256", "65536", "4294967295", "4294967296", "", "x", "1 ", "-1", "+1"}
	var texts []string
	for range 2000 {
		n := 1 + random.IntN(5)
		some := make([]string, n)
		for i := range some {
			some[i] = parts[random.IntN(len(parts))]
		}
		texts = append(texts, strings.Join(some, "."))
	}
	const program = `
import socket, sys
for line in sys.stdin.read().split("\n"):
    try:
        print(socket.inet_aton(line).hex())
    except OSError:
        print("none")
`
	command := exec.Command(python, "-c", program)
	command.Stdin = strings.NewReader(strings.Join(texts, "\n"))
	out, err := command.Output()
	if err != nil {
		t.Skip("python3 does not run: ", err)
	}
	answers := strings.Split(strings.TrimSpace(string(out)), "\n")
	if len(answers) != len(texts) {
		t.Fatalf("%d answers to %d questions", len(answers), len(texts))
	}
	for i, text := range texts {
		got := fmt.Sprintf("%08x", Ntohl(InetAddr(text)))
		if got != answers[i] && (answers[i] != "none" || got != "ffffffff") {
			t.Errorf("%q: %s, the C library has %s", text, got, answers[i])
		}
	}
}

package launch

import (
	"cmp"
	"fmt"
	"net/netip"
	"strings"
	"text/tabwriter"

	"upcall.dev/launch/internal/tally"
	"upcall.dev/layer/names"
)

// Summary is what has become of the sockets of a program and of what it
// started. Its numbers of sockets add up: each socket counts once, as passed by
// if anything of it has gone past the chains, else as carried if anything of it
// has gone through one, else as refused. A socket that is used again after
// 32,768 others counts as another. Sockets that were made and never used do not
// count.
type Summary struct {
	Carried  int // went through a chain, whatever came of it there
	PassedBy int // worked as without upcall
	Refused  int // failed: in the chain, or because there is none
	// Uses are in order: what passed by first, what was refused last.
	Uses []Use
}

// Use is what has become of the sockets that were used with one address.
type Use struct {
	Outcome  string // "carried", "passed by" or "refused"
	Protocol string // "tcp", "udp", "unix", or the name of what no chain carries, such as "raw"
	// Direction says whose Address is: "to" a peer, "at" a server's own, or
	// "accepted at" a server's own, with the connections that were accepted there.
	Direction string
	// Address is as the program knows it, an address and port or the path of a
	// Unix socket; empty where there is none, as of raw sockets, and with Others.
	Address string
	// Name is what the address was looked up by, if a layer knows.
	Name string
	// How is the name of the chain, the reason for passing by, or the name of the
	// error.
	How string
	// Sockets that were used so. The same socket may be in several uses.
	Sockets int
	// Datagrams that were sent to the address by calls that name it, so not those
	// of connected sockets, but for isolated programs.
	Datagrams int
	// Others tells that this is of all further addresses with that outcome: the
	// first 1024 have a use of their own.
	Others bool
}

// Seen is the number of sockets.
func (s Summary) Seen() int { return s.Carried + s.PassedBy + s.Refused }

// String is a table with a line for each use, and one with the totals.
func (s Summary) String() string {
	var out strings.Builder
	w := tabwriter.NewWriter(&out, 0, 0, 2, ' ', 0)
	if len(s.Uses) > 0 {
		fmt.Fprintln(w, "OUTCOME\tPROTOCOL\tADDRESS\tSOCKETS\tDATAGRAMS\tHOW")
	}
	for _, u := range s.Uses {
		fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%s\t%s\n", u.Outcome, cmp.Or(u.Protocol, "-"), u.where(), u.Sockets, dashIfZero(u.Datagrams), cmp.Or(u.How, "-"))
	}
	_ = w.Flush()
	sockets := "sockets"
	if s.Seen() == 1 {
		sockets = "socket"
	}
	fmt.Fprintf(&out, "%d %s seen: %d carried, %d passed by, %d refused", s.Seen(), sockets, s.Carried, s.PassedBy, s.Refused)
	return out.String()
}

func (u *Use) where() string {
	switch {
	case u.Others:
		return "other addresses"
	case u.Address == "":
		return "-"
	}
	text := printable(u.Address)
	if u.Name != "" {
		text += " (" + printable(u.Name) + ")"
	}
	if u.Direction != directions[tally.To] {
		text = u.Direction + " " + text
	}
	return text
}

func dashIfZero(n int) string {
	if n == 0 {
		return "-"
	}
	return fmt.Sprint(n)
}

// printable is text for one line of a table: a program chooses it.
func printable(text string) string {
	if quoted := fmt.Sprintf("%q", text); quoted != `"`+text+`"` {
		return quoted
	}
	return text
}

var (
	outcomes   = map[tally.Outcome]string{tally.Carried: "carried", tally.PassedBy: "passed by", tally.Refused: "refused"}
	directions = map[tally.Direction]string{tally.To: "to", tally.At: "at", tally.Accepted: "accepted at"}
)

// summaryOf is what was counted, with the names that layers know.
func summaryOf(t *tally.Tally) Summary {
	lines, totals := t.Result()
	s := Summary{Carried: int(totals.Carried), PassedBy: int(totals.PassedBy), Refused: int(totals.Refused)}
	for _, l := range lines {
		u := Use{
			Outcome: outcomes[l.Outcome], Protocol: l.Protocol, Direction: directions[l.Direction], Address: l.Path, How: l.How,
			Sockets: int(l.Sockets), Datagrams: int(l.Datagrams), Others: l.Rest,
		}
		if l.Address.Addr().IsValid() {
			u.Address, u.Name = l.Address.String(), nameOf(l.Address.Addr())
		}
		s.Uses = append(s.Uses, u)
	}
	return s
}

// nameOf is the name that the program has most lately looked up for an address.
func nameOf(a netip.Addr) string {
	if name, ok := names.Default.Lookup(a); ok {
		return name
	}
	return ""
}

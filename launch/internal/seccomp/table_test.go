package seccomp

import "testing"

func TestTableIsBounded(t *testing.T) {
	table := newTable()
	for i := range 3 * maxSettled {
		c := &connection{cookie: uint64(i)}
		if table.add(c) != nil {
			t.Fatal("a new cookie is taken")
		}
		table.settle(c)
	}
	if n := table.count.Load(); n != maxSettled || len(table.settled) != maxSettled {
		t.Errorf("%d entries, %d settled", n, len(table.settled))
	}
	if table.lookup(0) != nil || table.lookup(3*maxSettled-1) == nil {
		t.Error("the oldest must go and the newest stay")
	}
}

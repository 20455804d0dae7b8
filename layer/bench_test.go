package layer_test

import (
	"fmt"
	"testing"

	"upcall.dev/spi"
)

// silent accepts every send and does nothing.
type silent struct{ *base }

func (silent) WSPSend(spi.Socket, []spi.Buf, *uint32, uint32, *spi.Overlapped, spi.CompletionRoutine, *spi.ThreadID) spi.Errno {
	return 0
}

// BenchmarkPassThrough is the cost of one WSPSend through pass-through layers
// above a provider that does nothing; subtract the case of no layers.
func BenchmarkPassThrough(b *testing.B) {
	for _, layers := range []int{0, 1, 8} {
		b.Run(fmt.Sprintf("layers=%d", layers), func(b *testing.B) {
			p := stack(b, layers)
			buf := []spi.Buf{spi.NewBuf(make([]byte, 64))}
			var sent uint32
			var thread spi.ThreadID
			b.ReportAllocs()
			for b.Loop() {
				p.WSPSend(7, buf, &sent, 0, nil, nil, &thread)
			}
		})
	}
}

// stack builds a chain of pass-through layers. Chains hold at most six layers,
// so that deeper stacks are built by starting one chain over another.
func stack(t testing.TB, layers int) spi.Provider {
	h, bottom := newHost(t), newBase()
	bottom.table = silent{bottom}
	tcp, _ := h.base(bottom, ifs)
	if layers == 0 {
		return bottom.table
	}
	ids := make([]uint32, 0, spi.MaxProtocolChain)
	for range min(layers, spi.MaxProtocolChain-1) {
		_, id := h.layer("counting", nil, ifs)
		ids = append(ids, id)
	}
	p := h.start(h.chain(append(ids, tcp)...))
	t.Cleanup(func() { p.WSPCleanup() })
	if rest := layers - len(ids); rest > 0 {
		over, again := newHost(t), newBase()
		again.table = p
		tcp, _ := over.base(again, ifs)
		ids = ids[:0]
		for range rest {
			_, id := over.layer("counting", nil, ifs)
			ids = append(ids, id)
		}
		p = over.start(over.chain(append(ids, tcp)...))
	}
	return p
}

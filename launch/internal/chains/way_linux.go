package chains

// Way is how sockets go, for people.
type Way struct {
	Carriage Carriage
	Name     string // of the chain, or why there is none
}

// KernelAlone is the name of the way that leads through no layer.
const KernelAlone = "the kernel's provider alone"

// Way returns how sockets of a domain and type of Linux go.
func (c *Chains) Way(domain, sockType int) Way {
	e := c.entry(domain, sockType)
	w := Way{Carriage: carriageOf(e)}
	switch {
	case e == nil:
		w.Name = "the catalog has no provider for it"
	case c.without:
		w.Name = "its chain does not start"
	case w.Carriage == Untouched:
		w.Name = KernelAlone
	default:
		w.Name = e.Name()
	}
	return w
}

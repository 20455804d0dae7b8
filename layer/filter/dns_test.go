package filter

import (
	"net/netip"

	"golang.org/x/net/dns/dnsmessage"
)

// answer is a DNS answer to a question for name, by way of an alias.
func answer(name string, all ...netip.Addr) []byte {
	question, alias := dnsmessage.MustNewName(name), dnsmessage.MustNewName("alias."+name)
	m := dnsmessage.Message{
		Header:    dnsmessage.Header{ID: 7, Response: true},
		Questions: []dnsmessage.Question{{Name: question, Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET}},
		Answers: []dnsmessage.Resource{{
			Header: dnsmessage.ResourceHeader{Name: question, Class: dnsmessage.ClassINET, TTL: 60},
			Body:   &dnsmessage.CNAMEResource{CNAME: alias},
		}},
	}
	for _, a := range all {
		h := dnsmessage.ResourceHeader{Name: alias, Class: dnsmessage.ClassINET, TTL: 60}
		if a.Is4() {
			m.Answers = append(m.Answers, dnsmessage.Resource{Header: h, Body: &dnsmessage.AResource{A: a.As4()}})
		} else {
			m.Answers = append(m.Answers, dnsmessage.Resource{Header: h, Body: &dnsmessage.AAAAResource{AAAA: a.As16()}})
		}
	}
	b, err := m.Pack()
	if err != nil {
		panic(err)
	}
	return b
}

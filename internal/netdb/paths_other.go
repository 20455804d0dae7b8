//go:build !windows

package netdb

const (
	servicesPath  = "/etc/services"
	protocolsPath = "/etc/protocols"
)

package netdb

import (
	"os"
	"path/filepath"
)

var (
	servicesPath  = filepath.Join(os.Getenv("SystemRoot"), `system32\drivers\etc\services`)
	protocolsPath = filepath.Join(os.Getenv("SystemRoot"), `system32\drivers\etc\protocol`)
)

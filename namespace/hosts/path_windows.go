package hosts

import (
	"os"
	"path/filepath"
)

// systemFile is the system's own file.
var systemFile = filepath.Join(os.Getenv("SystemRoot"), `system32\drivers\etc\hosts`)

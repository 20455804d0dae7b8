package filter

import (
	"fmt"
	"log"
	"os"
	"sync"
	"time"
)

// journal is where the decisions are written. Each line is one write, which the
// file keeps whole among those of other processes. nil writes nothing.
type journal struct {
	program string
	now     func() time.Time
	failed  sync.Once

	mu   sync.Mutex // guards file, which is nil after close
	file *os.File
	path string // empty for standard error, which stays open
}

// openJournal opens the file at path, which it makes if need be; - is standard
// error, and an empty path nothing.
func openJournal(path, program string) (*journal, error) {
	switch path {
	case "":
		return nil, nil
	case "-":
		return &journal{program: program, now: time.Now, file: os.Stderr}, nil
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("log=%q cannot be written, choose another: %w", path, err)
	}
	return &journal{program: program, now: time.Now, file: file, path: path}, nil
}

// write appends one decision.
func (j *journal) write(o *operation, r *rule) {
	if j == nil {
		return
	}
	line := j.now().AppendFormat(nil, "2006-01-02T15:04:05.000000Z07:00 ")
	line = append(line, o.describe(r, j.program)...)
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.file == nil {
		return
	}
	if _, err := j.file.Write(append(line, '\n')); err != nil {
		j.failed.Do(func() { log.Printf("layer filter: decisions are lost, for log=%q cannot be written: %v", j.path, err) })
	}
}

// describe is one decision for people, for example:
//
//	deny WSAEACCES connect tcp 10.0.0.1:25 (mail.example.com) by rules.toml line 7, /usr/bin/curl
func (o *operation) describe(r *rule, program string) string {
	text := "allow"
	switch r.action {
	case deny:
		text = "deny " + r.errno.Name()
	case via:
		text = fmt.Sprintf("via %q", r.chain)
	}
	text += " " + o.direction.String()
	for kind, p := range protocolNames {
		if p == o.protocol && p != local { // which the address says
			text += " " + kind
		}
	}
	text += " " + printable(o.String())
	if o.protocol != local {
		if known := o.hostNames(); len(known) > 0 {
			text += " (" + known[0] + ")"
		}
	}
	text += " by " + r.where
	if program != "" {
		text += ", " + printable(program)
	}
	return text
}

// printable keeps what a program chose from breaking the line.
func printable(s string) string {
	for _, c := range s {
		if c < ' ' || c == 0x7f || c == 0xfffd {
			return fmt.Sprintf("%q", s)
		}
	}
	return s
}

func (j *journal) close() {
	if j == nil {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.path != "" && j.file != nil {
		if err := j.file.Close(); err != nil {
			log.Printf("layer filter: log=%q: %v", j.path, err)
		}
	}
	j.file = nil
}

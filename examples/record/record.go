// Package record is a whole layer that sees every byte: it writes what each
// socket sends and receives to two files.
package record

import (
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"upcall.dev/layer"
	"upcall.dev/nonifs"
	"upcall.dev/spi"
)

func init() {
	layer.Register(layer.Definition{
		Name:      "record",
		Summary:   "writes what each socket sends and receives to files",
		Options:   []spi.Option{{Name: "dir", Help: "where the files go, such as /tmp/calls; it is made if need be"}},
		Check:     check,
		SeesBytes: func(spi.Options) bool { return true },
		Without:   []spi.GUID{spi.WSAID_TRANSMITFILE, spi.WSAID_TRANSMITPACKETS}, // whose bytes are not in memory
		New:       newRecord,
	})
}

func check(o spi.Options) error {
	if o["dir"] == "" {
		return errors.New("say where the files go: dir=PATH")
	}
	return nil
}

func newRecord(next spi.Provider, o spi.Options) (spi.Provider, error) {
	if err := os.MkdirAll(o["dir"], 0o700); err != nil {
		return nil, err
	}
	next.(interface{ Observe(func(*nonifs.Transfer)) }).Observe(func(t *nonifs.Transfer) {
		if err := appendTo(o["dir"], t); err != nil {
			log.Print("record: ", err)
		}
	})
	return next, nil // nothing is changed, so nothing is overridden
}

// appendTo writes the bytes of one transfer behind those before it.
func appendTo(dir string, t *nonifs.Transfer) error {
	if t.N == 0 || t.Bufs == nil {
		return nil
	}
	direction := "sent"
	if t.Receive {
		direction = "received"
	}
	path := filepath.Join(dir, fmt.Sprintf("%x.%s", t.Socket, direction))
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	left := int(t.N)
	for _, b := range t.Bufs {
		n := min(left, len(b.Bytes()))
		left -= n
		if _, err = file.Write(b.Bytes()[:n]); err != nil {
			break
		}
	}
	return errors.Join(err, file.Close())
}

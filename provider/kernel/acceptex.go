//go:build linux

package kernel

import "upcall.dev/spi"

type acceptJob struct{}

func (j *acceptJob) follow(op *operation) {}
func (j *acceptJob) attempt(o *operations, op *operation) (uint32, spi.Errno) { return 0, 0 }
func (o *operations) movedFrom(match func(*operation) bool) []*operation { return nil }
func abortMoved(ops []*operation, indicate bool) {}

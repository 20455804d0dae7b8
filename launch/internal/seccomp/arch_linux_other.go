//go:build linux && !amd64 && !arm64

package seccomp

// nativeArch is zero where the filter has not been written.
const nativeArch = 0

//go:build linux && !amd64 && !arm64

package launch

// nativeArch is zero where the filter has not been written: [Run] refuses.
const nativeArch = 0

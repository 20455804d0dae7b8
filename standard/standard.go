// Package standard registers the providers and layers that come with Upcall.
// Import it for that alone:
//
//	import _ "upcall.dev/standard"
package standard

import (
	_ "upcall.dev/layer/trace"
	_ "upcall.dev/provider/kernel"
	_ "upcall.dev/provider/memory"
)

// Package standard links the standard set of providers and layers into a
// program. Import it for its effect:
//
//	import _ "upcall.dev/standard"
package standard

import (
	_ "upcall.dev/layer/filter"
	_ "upcall.dev/layer/shape"
	_ "upcall.dev/layer/socks"
	_ "upcall.dev/layer/trace"
	_ "upcall.dev/namespace/dns"
	_ "upcall.dev/namespace/hosts"
	_ "upcall.dev/provider/kernel"
	_ "upcall.dev/provider/memory"
)

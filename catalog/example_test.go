package catalog_test

import (
	"fmt"
	"os"
	"path/filepath"

	"upcall.dev/catalog"
	"upcall.dev/spi"
)

func tcp() spi.ProtocolInfo {
	info := spi.ProtocolInfo{
		ServiceFlags1: spi.XP1_IFS_HANDLES,
		ProtocolChain: spi.ProtocolChain{ChainLen: spi.BaseProtocol},
		AddressFamily: spi.AF_INET, SocketType: spi.SOCK_STREAM, Protocol: spi.IPPROTO_TCP,
	}
	info.SetName("TCP/IP")
	return info
}

// A layer is installed over what is there, and its chains come first.
func ExampleCatalog_InstallProviderAndChains() {
	c := catalog.New()
	c.InstallProvider(spi.NewGUID(), "/lib/base.so", []spi.ProtocolInfo{tcp()})
	code := c.InstallProviderAndChains(spi.NewGUID(), "/lib/filter.so", "filter", spi.XP1_IFS_HANDLES, nil, nil)
	fmt.Println(code)
	for _, e := range c.Entries() {
		fmt.Println(e.CatalogEntryID, e.Name(), e.ProtocolChain.Entries())
	}
	// Output:
	// success (0)
	// 1003 filter over [TCP/IP] [1002 1001]
	// 1001 TCP/IP []
	// 1002 filter []
}

// A file that does not exist yet stands for the default catalog.
func ExampleFile_Update() {
	dir, err := os.MkdirTemp("", "catalog")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	f := catalog.OpenFile(filepath.Join(dir, "catalog.toml"))
	err = f.Update(func(c *catalog.Catalog) error {
		return c.InstallProvider(spi.NewGUID(), "/lib/base.so", []spi.ProtocolInfo{tcp()}).Err()
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	c, err := f.Load()
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("serial", c.Serial(), "client sees", len(c.ClientProtocols())-len(catalog.Default().ClientProtocols()))
	// Output: serial 1 client sees 1
}

// Check says what is wrong, and what to do.
func ExampleCatalog_Check() {
	c := catalog.New()
	for _, p := range c.Check() {
		fmt.Println(p)
	}
	// Output: the catalog has no base provider, so that no socket can be made: "upcall catalog reset" restores them
}

func ExampleMayLoad() {
	fmt.Println(catalog.MayLoad(spi.LSP_FIREWALL, spi.LSP_FIREWALL|spi.LSP_PROXY))
	fmt.Println(catalog.MayLoad(spi.LSP_INSPECTOR, spi.LSP_FIREWALL|spi.LSP_PROXY))
	// Output:
	// true
	// false
}

package ws2_test

import (
	"fmt"
	"os"
	"path/filepath"

	"upcall.dev/catalog"
	"upcall.dev/namespace/hosts"
	"upcall.dev/spi"
	"upcall.dev/ws2"
)

// The addresses of a name, as the namespace providers of a catalog know it: here
// one over a file of our own, before the standard ones.
func ExampleThread_GetAddrInfo() {
	dir, err := os.MkdirTemp("", "names")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "hosts")
	if err := os.WriteFile(file, []byte("127.0.0.7 build.example build\n"), 0o600); err != nil {
		fmt.Println(err)
		return
	}
	installed := catalog.Default()
	installed.UnInstallNameSpace(hosts.ProviderID)
	d, _ := spi.LookupNamespaceDriver(hosts.Name)
	if err := installed.InstallNamespaceDriver(d, spi.Options{"file": file}); err != nil {
		fmt.Println(err)
		return
	}
	order := []spi.GUID{hosts.ProviderID}
	for _, n := range installed.Namespaces() {
		if n.ID != hosts.ProviderID {
			order = append(order, n.ID)
		}
	}
	installed.WriteNameSpaceOrder(order)

	thread := ws2.New(ws2.Config{Catalog: installed}).BindThread()
	defer thread.Unbind()
	if err := thread.WSAStartup(spi.Version22, new(ws2.WSAData)); err != nil {
		fmt.Println(err)
		return
	}
	defer thread.WSACleanup()
	hints := spi.AddrInfo{SockType: spi.SOCK_STREAM, Flags: spi.AI_CANONNAME}
	list, err := thread.GetAddrInfo(new("build"), new("http"), &hints)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(list.Canonical())
	for a := range list.All() {
		fmt.Println(spi.AddressString(a.Sockaddr()))
	}
	// Output:
	// build.example
	// 127.0.0.7:80
}

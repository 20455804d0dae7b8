// Command client is a static program for the tests: it fetches a URL with
// net/http from several goroutines at once and prints what it got.
package main

import (
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync"
)

func main() {
	goroutines := flag.Int("n", 1, "requests at once, each on a connection of its own")
	count := flag.Bool("count", false, "print the length of what came, and how many bytes are not as they should be in it")
	flag.Parse()
	var wg sync.WaitGroup
	bodies := make([]string, *goroutines)
	errs := make([]error, *goroutines)
	for i := range *goroutines {
		wg.Go(func() { bodies[i], errs[i] = fetch(flag.Arg(0)) })
	}
	wg.Wait()
	for i := range bodies {
		if errs[i] != nil {
			fmt.Fprintln(os.Stderr, errs[i])
			os.Exit(1)
		}
		if *count {
			wrong := 0
			for j := range len(bodies[i]) {
				if bodies[i][j] != "0123456789abcdef"[j%16] {
					wrong++
				}
			}
			fmt.Println(len(bodies[i]), wrong)
			continue
		}
		fmt.Print(bodies[i])
	}
}

func fetch(url string) (string, error) {
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Get(url)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return string(body), err
}

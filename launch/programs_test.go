package launch

import (
	"testing"
)

func TestPrograms(t *testing.T) {
	server := serveHTTP(t, "127.0.0.1")
	eachChain(t, func(t *testing.T, o Options, trace string) {
		t.Run("static Go client", func(t *testing.T) {
			client := goClient(t)
			like(t, run(t, o, client, "-n", "50", "http://"+server+"/hello"), direct(t, client, "-n", "50", "http://"+server+"/hello"))
			traced(t, trace, server, 50)
		})
		t.Run("curl", func(t *testing.T) {
			curl := need(t, "curl")
			like(t, run(t, o, curl, "-sS", "http://"+server+"/hello"), direct(t, curl, "-sS", "http://"+server+"/hello"))
			traced(t, trace, server, 1)
		})
	})
}

package launch

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	StageMain()
	goleak.VerifyTestMain(m)
}

var _ = os.Args

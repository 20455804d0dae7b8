package conformance

import "testing"

func TestLoadingLibrariesLeavesNothing(t *testing.T)    { provided(t, "leaks", "libraries") }
func TestCyclesOfAProviderLeaveNothing(t *testing.T)    { provided(t, "leaks", "provider") }
func TestRefusedProvidersLeaveNothing(t *testing.T)     { provided(t, "leaks", "refused") }
func TestCyclesOverEveryChainLeaveNothing(t *testing.T) { each(t, "leaks", "chain") }

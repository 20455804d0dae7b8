package conformance

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"upcall.dev/capi/ctest"
	"upcall.dev/catalog"
)

// fakes is how many providers of testdata/fake a program may load at once: the
// loader tells objects apart by their files.
const fakes = 4

var prepared sync.Once

// provided runs a behaviour of a subject whose providers are the program's own:
// those of testdata/fake, which it installs itself in an empty catalog.
func provided(t *testing.T, subject, number string) {
	t.Helper()
	t.Parallel()
	prepared.Do(func() {
		const next = "../../examples/c/next/"
		object := ctest.CompileObject(t, []string{"-I" + next}, "testdata/fake/fake.c", next+"next.c")
		text, err := os.ReadFile(object)
		for n := 0; n < fakes && err == nil; n++ {
			err = os.WriteFile(filepath.Join(directory, fmt.Sprintf("fake%d.so", n)), text, 0o755)
		}
		if err != nil {
			t.Fatal(err)
		}
	})
	program := program(t, subject)
	ctest.RunEnv(t, program, []string{number}, ctest.Write(t, catalog.New()), patience, "UPCALL_TEST_FAKES="+directory).OK(t)
}

func TestBehaviour001_TableIsComplete(t *testing.T)            { provided(t, "table", "1") }
func TestBehaviour002_CompletionIsExported(t *testing.T)       { provided(t, "table", "2") }
func TestBehaviour003_LatestTableCounts(t *testing.T)          { provided(t, "table", "3") }
func TestBehaviour005_SetIsIdempotent(t *testing.T)            { provided(t, "table", "5") }
func TestBehaviour007_BadEvents(t *testing.T)                  { provided(t, "table", "7") }
func TestBehaviour009_EventsAreTheClients(t *testing.T)        { provided(t, "table", "9") }
func TestBehaviour010_HandlesAreDistinct(t *testing.T)         { provided(t, "handles", "10") }
func TestBehaviour011_ContextHas64Bits(t *testing.T)           { provided(t, "handles", "11") }
func TestBehaviour012_QueryOnForeignHandle(t *testing.T)       { provided(t, "handles", "12") }
func TestBehaviour013_CloseHandleOnce(t *testing.T)            { provided(t, "handles", "13") }
func TestBehaviour014_CloseHandleOnIFS(t *testing.T)           { provided(t, "handles", "14") }
func TestBehaviour015_CompletionOnForeignHandle(t *testing.T)  { provided(t, "handles", "15") }
func TestBehaviour017_CreateWithUnknownID(t *testing.T)        { provided(t, "handles", "17") }
func TestBehaviour018_CreatedHandleRoutes(t *testing.T)        { provided(t, "handles", "18") }
func TestBehaviour019_ModifyRoutes(t *testing.T)               { provided(t, "handles", "19") }
func TestBehaviour020_ModifyInvalidSocket(t *testing.T)        { provided(t, "handles", "20") }
func TestBehaviour021_LayerTakesHandleOver(t *testing.T)       { provided(t, "handles", "21") }
func TestBehaviour022_ModifyUnknownID(t *testing.T)            { provided(t, "handles", "22") }
func TestBehaviour023_ModifyWithoutStartup(t *testing.T)       { provided(t, "handles", "23") }
func TestBehaviour024_CloseSocketOnce(t *testing.T)            { provided(t, "handles", "24") }
func TestBehaviour025_DeferredClose(t *testing.T)              { provided(t, "handles", "25") }
func TestBehaviour026_CloseThatWouldBlock(t *testing.T)        { provided(t, "handles", "26") }
func TestBehaviour027_AdoptionInOrder(t *testing.T)            { provided(t, "handles", "27") }
func TestBehaviour028_NonIFSProvidersAreNotAsked(t *testing.T) { provided(t, "handles", "28") }
func TestBehaviour030_BytesBeforeStatus(t *testing.T)          { provided(t, "completions", "30") }
func TestBehaviour036_OffsetsAreTheProviders(t *testing.T)     { provided(t, "completions", "36") }
func TestBehaviour038_HandlesAreApart(t *testing.T)            { provided(t, "completions", "38") }
func TestBehaviour039_ResultIsTheProviders(t *testing.T)       { provided(t, "completions", "39") }
func TestBehaviour046_APCRunsOnItsThread(t *testing.T)         { provided(t, "threads", "46") }
func TestBehaviour050_APCToNoThread(t *testing.T)              { provided(t, "threads", "50") }
func TestBehaviour051_ThreadIDIsCopied(t *testing.T)           { provided(t, "threads", "51") }
func TestBehaviour052_ThreadsWithoutStartup(t *testing.T)      { provided(t, "threads", "52") }
func TestBehaviour053_ThreadThatHasEnded(t *testing.T)         { provided(t, "threads", "53") }
func TestBehaviour056_ProtocolZero(t *testing.T)               { provided(t, "providers", "56") }
func TestBehaviour058_ProtocolRange(t *testing.T)              { provided(t, "providers", "58") }
func TestBehaviour059_BareLayersAreNotChosen(t *testing.T)     { provided(t, "providers", "59") }
func TestBehaviour063_ProviderDoesNotStart(t *testing.T)       { provided(t, "providers", "63") }
func TestBehaviour064_WrongVersion(t *testing.T)               { provided(t, "providers", "64") }
func TestBehaviour065_MissingFunction(t *testing.T)            { provided(t, "providers", "65") }
func TestBehaviour066_ProvidersAreAskedFor22(t *testing.T)     { provided(t, "providers", "66") }
func TestBehaviour067_OneProviderPerID(t *testing.T)           { provided(t, "providers", "67") }
func TestBehaviour068_InProgressTriesTheNext(t *testing.T)     { provided(t, "providers", "68") }
func TestBehaviour069_ChainEntryAndBaseEntry(t *testing.T)     { provided(t, "providers", "69") }
func TestBehaviour070_ProviderPath(t *testing.T)               { provided(t, "providers", "70") }
func TestBehaviour071_ProviderPathRefusals(t *testing.T)       { provided(t, "providers", "71") }
func TestBehaviour079_FailureWithoutACode(t *testing.T)        { provided(t, "completions", "79") }
func TestBehaviour084_LevelAndEdge(t *testing.T)               { each(t, "events", "84") }
func TestBehaviour097_SelectOfTwoProviders(t *testing.T)       { provided(t, "providers", "97") }
func TestBehaviour102_QueryBlockingCallback(t *testing.T)      { provided(t, "table", "102") }
func TestBehaviour117_CodesOfInstalling(t *testing.T)          { provided(t, "providers", "117") }
func TestBehaviour122_APCOutlivesCloseThread(t *testing.T)     { provided(t, "threads", "122") }
func TestBehaviour123_HandleClosedInTheLastCleanup(t *testing.T) {
	provided(t, "completions", "123")
}
func TestBehaviour124_QueryWhileACallIsInside(t *testing.T) { provided(t, "completions", "124") }
func TestBehaviour125_ThreadIDsOfTransfers(t *testing.T)    { provided(t, "completions", "125") }
func TestBehaviour126_FailureIsIndicated(t *testing.T)      { provided(t, "completions", "126") }

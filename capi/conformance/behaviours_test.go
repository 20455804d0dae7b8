package conformance

import "testing"

func TestBehaviour004_EventsAreManualReset(t *testing.T)  { once(t, "events", "4") }
func TestBehaviour006_EventsAreClosedOnce(t *testing.T)   { once(t, "events", "6") }
func TestBehaviour024_NothingAfterClose(t *testing.T)     { each(t, "sockets", "24") }
func TestBehaviour029_CompletionByEvent(t *testing.T)     { each(t, "overlapped", "29") }
func TestBehaviour032_CompletionByPort(t *testing.T)      { each(t, "overlapped", "32") }
func TestBehaviour033_TaggedEvent(t *testing.T)           { each(t, "overlapped", "33") }
func TestBehaviour035_PacketOfAFailure(t *testing.T)      { each(t, "overlapped", "35") }
func TestBehaviour037_OrderOfCompletion(t *testing.T)     { each(t, "overlapped", "37") }
func TestBehaviour040_ResultIncomplete(t *testing.T)      { each(t, "overlapped", "40") }
func TestBehaviour041_ResultWaits(t *testing.T)           { each(t, "overlapped", "41") }
func TestBehaviour042_CloseAborts(t *testing.T)           { each(t, "overlapped", "42") }
func TestBehaviour044_SuccessAtOnce(t *testing.T)         { each(t, "overlapped", "44") }
func TestBehaviour045_FailureIsNotIndicated(t *testing.T) { each(t, "overlapped", "45") }

func TestBehaviour047_CompletionRoutine(t *testing.T)          { each(t, "overlapped", "47") }
func TestBehaviour048_OnlyInAlertableWaits(t *testing.T)       { each(t, "overlapped", "48") }
func TestBehaviour049_OrderOfAPCs(t *testing.T)                { once(t, "overlapped", "49") }
func TestBehaviour054_RoutineLeavesTheEvent(t *testing.T)      { each(t, "overlapped", "54") }
func TestBehaviour055_RoutineWithoutOverlapped(t *testing.T)   { each(t, "overlapped", "55") }
func TestBehaviour057_ErrorTellsWhatIsMissing(t *testing.T)    { each(t, "choice", "57") }
func TestBehaviour057a_Unspecified(t *testing.T)               { each(t, "choice", "57a") }
func TestBehaviour061_InfoCounts(t *testing.T)                 { each(t, "choice", "61") }
func TestBehaviour062_UnknownID(t *testing.T)                  { each(t, "choice", "62") }
func TestBehaviour072_SizeOfTheProtocols(t *testing.T)         { each(t, "choice", "72") }
func TestBehaviour073_ExactSize(t *testing.T)                  { each(t, "choice", "73") }
func TestBehaviour074_FilterOfProtocols(t *testing.T)          { each(t, "choice", "74") }
func TestBehaviour075_HiddenAndBareLayers(t *testing.T)        { each(t, "choice", "75") }
func TestBehaviour076_NegotiatedVersions(t *testing.T)         { once(t, "startup", "76") }
func TestBehaviour077_StartupsAreCounted(t *testing.T)         { each(t, "startup", "77") }
func TestBehaviour078_HooksWithVersion1(t *testing.T)          { once(t, "startup", "78") }
func TestBehaviour080_SelectionMakesNonblocking(t *testing.T)  { each(t, "events", "80") }
func TestBehaviour082_ReadAgain(t *testing.T)                  { each(t, "events", "82") }
func TestBehaviour086_Connect(t *testing.T)                    { each(t, "events", "86") }
func TestBehaviour087_Close(t *testing.T)                      { each(t, "events", "87") }
func TestBehaviour088_WhatHoldsAlready(t *testing.T)           { each(t, "events", "88") }
func TestBehaviour089_NewSelection(t *testing.T)               { each(t, "events", "89") }
func TestBehaviour091_EnumNetworkEvents(t *testing.T)          { each(t, "events", "91") }
func TestBehaviour093_AcceptedInherits(t *testing.T)           { each(t, "events", "93") }
func TestBehaviour094_ConditionFunction(t *testing.T)          { each(t, "calls", "94") }
func TestBehaviour095_SelectErrors(t *testing.T)               { each(t, "select", "95") }
func TestBehaviour096_SelectReduces(t *testing.T)              { each(t, "select", "96") }
func TestBehaviour098_LargeSets(t *testing.T)                  { each(t, "select", "98") }
func TestBehaviour099_SelectTellsConnections(t *testing.T)     { each(t, "select", "99") }
func TestBehaviour100_PollingWithoutHook(t *testing.T)         { each(t, "select", "100") }
func TestBehaviour101_BlockingHook(t *testing.T)               { each(t, "calls", "101") }
func TestBehaviour103_CancelWhenIdle(t *testing.T)             { once(t, "startup", "103") }
func TestBehaviour104_InsideTheHook(t *testing.T)              { each(t, "calls", "104") }
func TestBehaviour105_Close(t *testing.T)                      { each(t, "sockets", "105") }
func TestBehaviour106_Shutdown(t *testing.T)                   { each(t, "sockets", "106") }
func TestBehaviour108_BindOnce(t *testing.T)                   { each(t, "sockets", "108") }
func TestBehaviour109_Listen(t *testing.T)                     { each(t, "sockets", "109") }
func TestBehaviour110_NamesNotThereYet(t *testing.T)           { each(t, "sockets", "110") }
func TestBehaviour111_Duplicate(t *testing.T)                  { each(t, "sockets", "111") }
func TestBehaviour112_DuplicateOnce(t *testing.T)              { each(t, "sockets", "112") }
func TestBehaviour113_DatagramThatDoesNotFit(t *testing.T)     { each(t, "sockets", "113") }
func TestBehaviour114_BuffersAreCaptured(t *testing.T)         { each(t, "overlapped", "114") }
func TestBehaviour115_PendingLeavesCountAndFlags(t *testing.T) { each(t, "overlapped", "29") }
func TestBehaviour118_Waits(t *testing.T)                      { once(t, "events", "118") }
func TestBehaviour119_BeforeStartup(t *testing.T)              { once(t, "startup", "119") }
func TestBehaviour120_SuccessLeavesTheLastError(t *testing.T)  { each(t, "startup", "120") }
func TestBehaviour121_StatusBeforeEvent(t *testing.T)          { each(t, "overlapped", "121") }

func TestBehaviour060_OrderOfTheCatalog(t *testing.T)   { each(t, "config", "60") }
func TestBehaviour116_ChangesOfTheCatalog(t *testing.T) { each(t, "config", "116") }

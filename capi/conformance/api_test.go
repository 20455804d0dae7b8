package conformance

import "testing"

func TestAcceptExAndConnectEx(t *testing.T)       { each(t, "extensions", "connect") }
func TestTransmitFileAndPackets(t *testing.T)     { each(t, "extensions", "transmit") }
func TestWSASendMsgAndWSARecvMsg(t *testing.T)    { each(t, "extensions", "messages") }
func TestUnknownExtension(t *testing.T)           { each(t, "extensions", "unknown") }
func TestWSAPoll(t *testing.T)                    { each(t, "extensions", "poll") }
func TestConnectingByListAndName(t *testing.T)    { each(t, "extensions", "bylist") }
func TestByteOrderOfASocket(t *testing.T)         { each(t, "extensions", "byteorder") }
func TestOpenType(t *testing.T)                   { each(t, "extensions", "opentype") }
func TestSocketNotifications(t *testing.T)        { each(t, "extensions", "notifications") }
func TestForkedProcessHasNoLibrary(t *testing.T)  { once(t, "process", "fork") }
func TestSignalHandlersOfTheProgram(t *testing.T) { once(t, "process", "signals") }
func TestManyThreads(t *testing.T)                { each(t, "process", "threads") }

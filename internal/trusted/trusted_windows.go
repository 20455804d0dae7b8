package trusted

import "io/fs"

const openNonblock = 0

// doubt leaves the judgement to the access control list of the user's
// profile, where such files are.
func doubt(fs.FileInfo) *Doubt { return nil }

package trusted

import "io/fs"

const openNonblock = 0

// suspect leaves the judgement to the access control list of the user's
// profile, where such files are.
func suspect(fs.FileInfo) error { return nil }

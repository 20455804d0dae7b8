// Package profile reads the named profiles of upcall run: which chain a program
// gets, and how it is run.
//
// # Where to start
//
// [Load] reads the file beside the catalog, [File.Choose] finds the profile that
// the file wants for a program, and [Profile.Catalog] makes of a profile, or of
// what the command line says, the catalog for one run.
package profile

// Package programs is the trial of the C door on programs that nobody here wrote
// for it: its tests fetch portable programs from their Debian source packages,
// compile their own Windows code path against the headers, and run them over
// chains against peers that the system's sockets carry. docs/c-programs.md says
// which programs, and what each needed.
package programs

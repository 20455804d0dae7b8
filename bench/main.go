// Command bench prints, from one run, what Upcall costs: each row runs its
// subject and its comparator in turn and gives the median of the rounds'
// ratios, so that a slow or busy machine slows both alike.
package main

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"upcall.dev/launch"
	_ "upcall.dev/standard"
)

func main() {
	launch.StageMain()
	hostMain()
	relayMain()
	clientMain()
	serverMain()
	rounds := flag.Int("rounds", 7, "rounds per row; the table shows medians")
	each := flag.Duration("each", 300*time.Millisecond, "time for one side of one round")
	only := flag.String("only", "", "measure only rows whose name contains this")
	flag.Parse()

	failed := measureAll(*rounds, *each, *only)
	compiled.remove()
	if failed {
		os.Exit(1)
	}
}

// measureAll prints the table, and reports whether a row could not be measured.
func measureAll(rounds int, each time.Duration, only string) (failed bool) {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "MEASUREMENT (medians)\tSUBJECT\tCOMPARATOR\tRATIO\tGOAL\t")
	for _, r := range rows() {
		if !strings.Contains(r.name, only) {
			continue
		}
		disturbedRuns = 0
		line, met, err := r.measure(rounds, each)
		if why, ok := whyAbsent(err); ok {
			fmt.Fprintf(w, "%s\t\t\t\t\tnot measured: %s\n", r.name, why)
			continue
		}
		if err != nil {
			fmt.Fprintf(os.Stderr, "bench: %s: %v\n", r.name, err)
			failed = true
			continue
		}
		switch {
		case disturbedRuns > rounds/2:
			line += "says little: the machine was busy"
		case !met:
			line += "missed"
		}
		fmt.Fprintln(w, line)
	}
	_ = w.Flush()
	return failed
}

// row is one line of the table.
type row struct {
	name string
	unit string
	// prepare sets both sides up and returns them; each side runs for about
	// the given time and returns its figure in unit.
	prepare func() (subject, comparator side, done func(), err error)
	goal    goal
}

type side func(time.Duration) (float64, error)

// goal is what the figures should reach.
type goal struct {
	text string
	met  func(subject, ratio float64) bool
}

func ratioAtLeast(x float64) goal {
	return goal{fmt.Sprintf("≥ %g×", x), func(_, ratio float64) bool { return ratio >= x }}
}

func ratioAtMost(x float64) goal {
	return goal{fmt.Sprintf("≤ %g×", x), func(_, ratio float64) bool { return ratio <= x }}
}

func atMost(x float64, unit string) goal {
	return goal{fmt.Sprintf("≤ %g %s", x, unit), func(subject, _ float64) bool { return subject <= x }}
}

// addsAtMost bounds what the subject is dearer than the comparator.
func addsAtMost(x float64, unit string) goal {
	return goal{fmt.Sprintf("≤ %g %s more", x, unit), func(subject, ratio float64) bool { return subject-subject/ratio <= x }}
}

func forInformation() goal {
	return goal{"", func(float64, float64) bool { return true }}
}

func (r row) measure(rounds int, each time.Duration) (line string, met bool, err error) {
	subject, comparator, done, err := r.prepare()
	if err != nil {
		return "", false, err
	}
	defer done()
	var subjects, comparators, ratios []float64
	for i := range rounds {
		// Change which side goes first, so that neither gains by its place.
		order := []side{subject, comparator}
		if i%2 == 1 {
			slices.Reverse(order)
		}
		figures := map[int]float64{}
		for j, s := range order {
			if s == nil {
				continue
			}
			f, err := s(each)
			if err != nil {
				return "", false, err
			}
			figures[(j+i)%2] = f
		}
		subjects = append(subjects, figures[0])
		if comparator != nil {
			comparators = append(comparators, figures[1])
			ratios = append(ratios, figures[0]/figures[1])
		}
	}
	s := median(subjects)
	if comparator == nil {
		return fmt.Sprintf("%s\t%s\t\t\t%s\t", r.name, figure(s, r.unit), r.goal.text), r.goal.met(s, 0), nil
	}
	ratio := median(ratios)
	return fmt.Sprintf("%s\t%s\t%s\t%.2f\t%s\t", r.name, figure(s, r.unit), figure(median(comparators), r.unit), ratio, r.goal.text),
		r.goal.met(s, ratio), nil
}

func figure(x float64, unit string) string {
	if x >= 1000 {
		return fmt.Sprintf("%.0f %s", x, unit)
	}
	return fmt.Sprintf("%.3g %s", x, unit)
}

func median(xs []float64) float64 {
	xs = slices.Sorted(slices.Values(xs))
	return (xs[len(xs)/2] + xs[(len(xs)-1)/2]) / 2
}

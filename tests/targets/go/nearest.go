// Distances, and the few nearest of many.

package main

import (
	"cmp"
	"slices"
)

// distance is the square of the Euclidean distance. Eight components a turn in four sums, which the processor adds side by side.
func distance(a, b []float32) float32 {
	var s0, s1, s2, s3 float32
	for len(a) >= 8 && len(b) >= 8 {
		d0, d1, d2, d3 := a[0]-b[0], a[1]-b[1], a[2]-b[2], a[3]-b[3]
		d4, d5, d6, d7 := a[4]-b[4], a[5]-b[5], a[6]-b[6], a[7]-b[7]
		s0 += d0*d0 + d4*d4
		s1 += d1*d1 + d5*d5
		s2 += d2*d2 + d6*d6
		s3 += d3*d3 + d7*d7
		a, b = a[8:], b[8:]
	}
	for i := range a {
		d := a[i] - b[i]
		s0 += d * d
	}
	return s0 + s1 + s2 + s3
}

// A neighbour is a row and how far it is.
type neighbour struct {
	row      int32
	distance float32
}

// nearest keeps the k nearest of what it is shown, nearest first.
type nearest struct {
	k     int
	found []neighbour
}

func (n *nearest) add(row int, distance float32) {
	if len(n.found) == n.k {
		if n.k == 0 || distance >= n.found[n.k-1].distance {
			return
		}
		n.found = n.found[:n.k-1]
	}
	nearer := func(one neighbour, distance float32) int { return cmp.Compare(one.distance, distance) }
	at, _ := slices.BinarySearchFunc(n.found, distance, nearer)
	n.found = slices.Insert(n.found, at, neighbour{int32(row), distance})
}

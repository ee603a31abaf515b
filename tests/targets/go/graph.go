// The neighbour graph of a dataset: M links a row.
//
// It is built and held for what an index costs, time and memory: rows·ef·dim to build, rows·M·4 bytes to hold. Searches do not follow
// it; they scan, and so are exact.

package main

// graphBlockRows is the number of rows whose links are allocated together: whole pages for every M.
const graphBlockRows = 1024

// Graph is the links of all rows, in blocks. Only one goroutine at a time may build.
type Graph struct {
	m, ef  int
	blocks [][]int32
}

// bytes that the graph holds with this many rows.
func (g *Graph) bytes(rows int) int64 {
	blocks := (rows + graphBlockRows - 1) / graphBlockRows
	return int64(blocks) * graphBlockRows * int64(g.m) * 4
}

// links of a row, in place; -1 where there is no neighbour.
func (g *Graph) links(row int) []int32 {
	for row >= len(g.blocks)*graphBlockRows {
		g.blocks = append(g.blocks, make([]int32, graphBlockRows*g.m))
	}
	start := row % graphBlockRows * g.m
	return g.blocks[row/graphBlockRows][start : start+g.m]
}

// linkAll links the rows from a number on that are not dead, and tells how many they were.
func (g *Graph) linkAll(vectors *Slabs, from int, dead []bool) (nodes int) {
	near := nearest{k: g.m}
	for i, isDead := range dead {
		if !isDead {
			g.link(vectors, from+i, &near)
			nodes++
		}
	}
	return nodes
}

// link gives a row its neighbours: the nearest M of up to ef earlier rows. near is scratch space.
func (g *Graph) link(vectors *Slabs, row int, near *nearest) {
	vector := vectors.at(row)
	near.found = near.found[:0]
	for j := range min(row, g.ef) {
		candidate := sample(row, g.ef, j)
		near.add(candidate, distance(vector, vectors.at(candidate)))
	}
	links := g.links(row)
	for i := range links {
		links[i] = -1
	}
	for i, found := range near.found {
		links[i] = found.row
	}
}

// sample is the j-th of ef earlier rows: one of each ef-th part of them, drawn by a hash, so that the same rows give the same graph.
func sample(row, ef, j int) int {
	if row <= ef {
		return j
	}
	low, high := j*row/ef, (j+1)*row/ef
	hash := (uint64(row)<<32 | uint64(j)) * 0x9E3779B97F4A7C15
	hash = (hash ^ hash>>31) * 0xBF58476D1CE4E5B9
	return low + int((hash>>33)%uint64(high-low))
}

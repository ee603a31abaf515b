// Vectors in slabs of Go heap: small ones, so that what a store accounts to its slabs is close to what its rows need.

package main

// slabFloats is the number of components of a slab; a slab is exactly 256 KiB, which the runtime allocates without waste.
const slabFloats = 256 << 10 / 4

// Slabs hold rows of one dimension. What is written stays as it is, so that a copy of the struct can be read while rows are appended.
type Slabs struct {
	dim, rowsPerSlab, count int
	slabs                   [][]float32
}

func newSlabs(dim int) Slabs {
	return Slabs{dim: dim, rowsPerSlab: slabFloats / dim}
}

func (s *Slabs) push(vector []float32) {
	if s.count == len(s.slabs)*s.rowsPerSlab {
		s.slabs = append(s.slabs, make([]float32, slabFloats))
	}
	s.count++
	copy(s.at(s.count-1), vector)
}

// at is a row, in place.
func (s *Slabs) at(row int) []float32 {
	start := row % s.rowsPerSlab * s.dim
	return s.slabs[row/s.rowsPerSlab][start : start+s.dim]
}

func (s *Slabs) bytes() int64 { return int64(len(s.slabs)) * slabFloats * 4 }

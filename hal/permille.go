package hal

// Permille is a whole in thousandths: what an app sets where the hardware has steps of its own.
const Permille = 1000

// OfPermille turns thousandths into steps of which most is the whole, to the nearest one, halves up. What is more than nothing is at least one step. permille is from 0 to 1000, most from 0 to
// 2^50.
func OfPermille(permille, most int64) int64 {
	steps := (permille*most + Permille/2) / Permille
	if permille > 0 && steps == 0 {
		return min(1, most)
	}
	return steps
}

// InPermille turns steps into thousandths of most, to the nearest one, halves up; 0 where most is 0. What is outside 0 to most counts as the nearer of the two. most is at most 2^50.
func InPermille(steps, most int64) int64 {
	steps = max(0, min(steps, most))
	if most <= 0 {
		return 0
	}
	return (2*steps*Permille + most) / (2 * most)
}

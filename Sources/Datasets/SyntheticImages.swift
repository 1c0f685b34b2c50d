import Networks
import Tensors

/// Images made from nothing, for trying the program without data: ten classes of 28 × 28 pixels.
///
/// Each class has three smooth prototypes; an image is one of them, moved by up to two pixels, with
/// noise. The same images every time.
struct SyntheticImages {
  var trainingCount = 10_000
  var testCount = 2_000
  let side = 28
  let classes = 10
  let prototypesPerClass = 3

  func makePair() throws(DataError) -> DatasetPair {
    let prototypes = (0..<classes * prototypesPerClass).map(makePrototype)
    return DatasetPair(
      training: try makeImages("train", count: trainingCount, prototypes),
      test: try makeImages("test", count: testCount, prototypes))
  }

  /// A smooth random field: coarse normal noise, interpolated between a 7 × 7 grid's points.
  private func makePrototype(_ index: Int) -> [Float] {
    var random = RandomStream(seed: 0, "synthetic prototype", index)
    let grid = (0..<64).map { _ in random.normal() }
    return (0..<side * side).map { position in
      let (y, x) = (Float(position / side) / 4, Float(position % side) / 4)
      let (row, column) = (Int(y), Int(x))
      let (v, u) = (y - Float(row), x - Float(column))
      let corner = row * 8 + column
      let top = grid[corner] * (1 - u) + grid[corner + 1] * u
      let bottom = grid[corner + 8] * (1 - u) + grid[corner + 9] * u
      return top * (1 - v) + bottom * v
    }
  }

  private func makeImages(
    _ part: String, count: Int, _ prototypes: [[Float]]
  ) throws(DataError) -> Dataset {
    var random = RandomStream(seed: 0, "synthetic \(part)")
    var pixels: [UInt8] = []
    pixels.reserveCapacity(count * side * side)
    var labels: [UInt8] = []
    for _ in 0..<count {
      let label = random.integer(below: classes)
      let prototype =
        prototypes[label * prototypesPerClass + random.integer(below: prototypesPerClass)]
      let (down, right) = (random.integer(below: 5) - 2, random.integer(below: 5) - 2)
      for y in 0..<side {
        for x in 0..<side {
          let row = min(max(y + down, 0), side - 1)
          let column = min(max(x + right, 0), side - 1)
          let value = 128 + 50 * (prototype[row * side + column] + 1.6 * random.normal())
          pixels.append(UInt8(min(max(value, 0), 255)))
        }
      }
      labels.append(UInt8(label))
    }
    return try Dataset(
      name: "\(DatasetName.synthetic.rawValue) \(part)", pixels: pixels, labels: labels,
      shape: ImageShape(height: side, width: side), classes: classes)
  }
}

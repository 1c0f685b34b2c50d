/// Columns that a search has reached, and their distances side by side.
///
/// A plain list and a vectorised minimum, because a heap would cost a logarithm more in the worst case.
struct Frontier {
  private(set) var columns: [Int] = []
  private var distances: [Double] = []
  /// The place in the list of each column on it.
  private var places: [Int]

  init(n: Int) { places = Array(repeating: -1, count: n) }

  mutating func update(_ column: Int, to distance: Double, isNew: Bool) {
    if isNew {
      places[column] = columns.count
      columns.append(column)
      distances.append(distance)
    } else {
      distances[places[column]] = distance
    }
  }

  /// The first place of the smallest distance; ∞ if the list is empty.
  func nearest() -> (place: Int, distance: Double) {
    var least = SIMD8<Double>(repeating: .infinity)
    let whole = distances.count / 8 * 8
    distances.withUnsafeBytes { bytes in
      for start in stride(from: 0, to: whole, by: 8) {
        let values = bytes.loadUnaligned(fromByteOffset: 8 * start, as: SIMD8<Double>.self)
        least.replace(with: values, where: values .< least)
      }
    }
    var distance = least.min()
    for place in whole..<distances.count where distances[place] < distance {
      distance = distances[place]
    }
    return (distances.firstIndex(of: distance) ?? 0, distance)
  }

  /// Takes the column at a place off the list; the last one moves there.
  mutating func remove(at place: Int) -> Int {
    let column = columns[place]
    let last = columns.count - 1
    places[columns[last]] = place
    columns.swapAt(place, last)
    distances.swapAt(place, last)
    columns.removeLast()
    distances.removeLast()
    return column
  }

  mutating func removeAll() {
    columns.removeAll(keepingCapacity: true)
    distances.removeAll(keepingCapacity: true)
  }
}

extension Dataset {
  /// Some of the images, copied, in the order given.
  public func subset(_ indices: [Int], named name: String) -> Dataset {
    var pixels: [UInt8] = []
    pixels.reserveCapacity(indices.count * features)
    for index in indices { pixels += self.pixels[index * features..<(index + 1) * features] }
    do {
      return try Dataset(
        name: name, pixels: pixels, labels: indices.map { labels[$0] }, shape: shape,
        classes: classes)
    } catch {
      preconditionFailure("images of a set are none: \(error)")
    }
  }
}

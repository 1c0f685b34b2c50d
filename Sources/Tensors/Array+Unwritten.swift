extension Array where Element == Float {
  /// An array whose numbers are whatever was in memory, for those who overwrite all of them.
  ///
  /// - Parameters:
  ///   - count: how many numbers.
  ///   - spare: how many more there is room for.
  /// - Returns: `count` numbers.
  package static func unwritten(_ count: Int, spare: Int = 0) -> [Float] {
    [Float](unsafeUninitializedCapacity: count + spare) { _, initialized in initialized = count }
  }
}

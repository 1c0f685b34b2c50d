import Foundation

/// `0.35 s`, `12.4 s`, `3 min 05 s` or `2 h 10 min`.
package func readableDuration(_ seconds: Double) -> String {
  func padded(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
  if seconds < 1 { return "\(decimal(seconds, 2)) s" }
  if seconds < 60 { return "\(decimal(seconds, 1)) s" }
  let whole = Int(seconds.rounded())
  if whole < 3600 { return "\(whole / 60) min \(padded(whole % 60)) s" }
  return "\(whole / 3600) h \(padded(whole % 3600 / 60)) min"
}

/// A number with a fixed count of decimals.
package func decimal(_ value: Double, _ decimals: Int) -> String {
  String(format: "%.\(decimals)f", value)
}

/// A number of bytes: `812 B`, `1.63 MB`.
package func readableBytes(_ bytes: Int) -> String {
  let units = ["B", "kB", "MB", "GB", "TB"]
  var value = Double(bytes)
  var unit = 0
  while value >= 1000, unit < units.count - 1 {
    value /= 1000
    unit += 1
  }
  return unit == 0
    ? "\(bytes) B" : "\(decimal(value, value < 10 ? 2 : value < 100 ? 1 : 0)) \(units[unit])"
}

/// A number with its digits in threes, `407,050`.
package func grouped(_ number: Int) -> String {
  let digits = Array(String(number.magnitude))
  var text = number < 0 ? "-" : ""
  for (place, digit) in digits.enumerated() {
    if place > 0, (digits.count - place).isMultiple(of: 3) { text += "," }
    text.append(digit)
  }
  return text
}

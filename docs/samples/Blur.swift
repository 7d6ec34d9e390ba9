// Blurs the background of a photo with URLSession (iOS 15 or later).
import Foundation

struct BlurError: Error {
    let status: Int
    let body: String // {"error": {"code", "message", "request_id"}}
}

/// A radius in percent looks the same at every size of the photo.
func blurBackground(of photo: Data, radius: String = "1%") async throws -> Data {
    let boundary = UUID().uuidString
    var request = URLRequest(url: URL(string: "https://api.example.com/v2/rembg/blur/")!)
    request.httpMethod = "POST"
    request.timeoutInterval = 60
    request.setValue("YOUR_API_KEY", forHTTPHeaderField: "ApiKey")
    request.setValue(UUID().uuidString, forHTTPHeaderField: "Idempotency-Key")
    request.setValue(
        "multipart/form-data; boundary=\(boundary)", forHTTPHeaderField: "Content-Type")

    var form = Data()
    form.append(Data("--\(boundary)\r\n".utf8))
    form.append(Data("Content-Disposition: form-data; name=\"radius\"\r\n\r\n\(radius)\r\n".utf8))
    form.append(Data("--\(boundary)\r\n".utf8))
    form.append(Data("Content-Disposition: form-data; name=\"image\"; filename=\"photo\"\r\n".utf8))
    form.append(Data("Content-Type: application/octet-stream\r\n\r\n".utf8))
    form.append(photo)
    form.append(Data("\r\n--\(boundary)--\r\n".utf8))

    // URLSession follows a 303 with a GET request, so it fetches a large result from its link.
    let (data, response) = try await URLSession.shared.upload(for: request, from: form)
    let status = (response as? HTTPURLResponse)?.statusCode ?? 0
    guard status == 200 else {
        throw BlurError(status: status, body: String(decoding: data, as: UTF8.self))
    }
    return data
}

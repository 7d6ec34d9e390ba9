// Blurs the background of a photo with OkHttp 4 or 5. Do not call this on the main thread.
import java.io.File
import java.io.IOException
import java.util.UUID
import java.util.concurrent.TimeUnit
import okhttp3.MediaType.Companion.toMediaType
import okhttp3.MultipartBody
import okhttp3.OkHttpClient
import okhttp3.Request
import okhttp3.RequestBody.Companion.asRequestBody

private val client = OkHttpClient.Builder().callTimeout(90, TimeUnit.SECONDS)
    .readTimeout(60, TimeUnit.SECONDS).build()

/** Returns the image's bytes. A radius in percent looks the same at every size. On failure, the message of the exception is the API's JSON error. */
fun blurBackground(photo: File, radius: String = "1%"): ByteArray {
    val form = MultipartBody.Builder().setType(MultipartBody.FORM)
        .addFormDataPart("radius", radius)
        .addFormDataPart("image", "photo", photo.asRequestBody("application/octet-stream".toMediaType()))
        .build()
    val request = Request.Builder().url("https://api.example.com/v2/rembg/blur/")
        .header("ApiKey", "YOUR_API_KEY")
        .header("Idempotency-Key", UUID.randomUUID().toString())
        .post(form)
        .build()
    // OkHttp follows a 303 with a GET request, so it fetches a large result from its link.
    client.newCall(request).execute().use { response ->
        val body = checkNotNull(response.body)
        if (response.code != 200) throw IOException(body.string())
        return body.bytes()
    }
}

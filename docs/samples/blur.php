<?php
// Blurs the background of photo.jpg with PHP's cURL.

$curl = curl_init("https://api.example.com/v2/rembg/blur/");
curl_setopt_array($curl, [
    CURLOPT_HTTPHEADER => ["ApiKey: YOUR_API_KEY"],
    CURLOPT_POSTFIELDS => [
        "image" => new CURLFile("photo.jpg"),
        "radius" => "12",
    ],
    CURLOPT_RETURNTRANSFER => true,
    CURLOPT_FOLLOWLOCATION => true, // a large result is fetched from its link
]);
$body = curl_exec($curl);

if ($body === false) {
    fwrite(STDERR, curl_error($curl) . PHP_EOL);
    exit(1);
}
if (curl_getinfo($curl, CURLINFO_RESPONSE_CODE) !== 200) {
    fwrite(STDERR, $body . PHP_EOL);
    exit(1);
}
file_put_contents("blurred.png", $body);

<?php
// Belfry from PHP, without extensions.
//
//     php belfry.php token alice 'room:*'       a token with which alice may read and write these, for an hour
//     php belfry.php publish room:1 'hello'     prints the event's id when it is on the hub's disk

define('BELFRY_URL', getenv('BELFRY_URL') ?: 'http://127.0.0.1:8080/events');
define('BELFRY_SECRET', getenv('BELFRY_SECRET') ?: '/etc/belfry/secret');   // the file that token_keys names

// A JSON Web Token; rights are subscribe, publish, presence: lists of channels and patterns.
function belfry_token(string $user, array $rights, int $seconds = 3600): string
{
    $part = fn(string $data) => rtrim(strtr(base64_encode($data), '+/', '-_'), '=');
    $claims = ['sub' => $user, 'iat' => time(), 'exp' => time() + $seconds, 'belfry' => (object)$rights];
    $signed = $part('{"alg":"HS256"}') . '.' . $part(json_encode($claims));
    $key = trim(file_get_contents(BELFRY_SECRET));
    return $signed . '.' . $part(hash_hmac('sha256', $signed, $key, true));
}

// The event's id. It is tried again under one key, so that it is published once, whatever happens.
function belfry_publish(string $channel, mixed $data, ?string $event = null): string
{
    $body = ['channel' => $channel, 'data' => $data] + ($event === null ? [] : ['event' => $event]);
    $context = stream_context_create(['http' => [
        'method' => 'POST', 'timeout' => 15, 'ignore_errors' => true, 'content' => json_encode($body),
        'header' => ['Content-Type: application/json', 'Idempotency-Key: ' . bin2hex(random_bytes(16)),
                     'Authorization: Bearer ' . belfry_token('application', ['publish' => [$channel]], 60)],
    ]]);
    foreach ([0.3, 1, 3, 0] as $pause) {
        $answer = @file_get_contents(BELFRY_URL . '/send', false, $context);
        $status = $answer === false ? 503 : (int)explode(' ', $http_response_header[0])[1];
        if ($status === 200)
            return json_decode($answer)->id;
        if (!in_array($status, [429, 503]) || !$pause)
            throw new RuntimeException($answer ?: 'no answer from ' . BELFRY_URL);
        usleep((int)($pause * 1e6));
    }
}

if (PHP_SAPI === 'cli' && realpath($argv[0]) === __FILE__) {
    $arguments = array_slice($argv, 2);
    if (($argv[1] ?? '') === 'token' && $arguments) {
        $user = array_shift($arguments);
        echo belfry_token($user, ['subscribe' => $arguments, 'publish' => $arguments]), "\n";
    } elseif (($argv[1] ?? '') === 'publish' && count($arguments) === 2) {
        echo belfry_publish($arguments[0], ['text' => $arguments[1]]), "\n";
    } else {
        fwrite(STDERR, "usage: belfry.php token USER CHANNEL... | publish CHANNEL TEXT\n");
        exit(64);
    }
}

<?php
// php zeromq.php CHANNEL TEXT -- publishes over ZeroMQ (php-zmq); prints the event's id when it is on the hub's disk.

define('BELFRY_PUBLISH', getenv('BELFRY_PUBLISH') ?: 'ipc:///run/belfry/publish.ipc');

// The event's id. It is tried again under one key, so that it is published once, whatever happens.
function belfry_publish(string $channel, mixed $data, string $event = ''): string
{
    $options = ['json' => true, 'idempotencyKey' => bin2hex(random_bytes(16))];
    for ($try = 0; $try < 3; $try++) {
        $hub = new ZMQSocket(new ZMQContext(), ZMQ::SOCKET_REQ);
        $hub->setSockOpt(ZMQ::SOCKOPT_RCVTIMEO, 5000);
        $hub->setSockOpt(ZMQ::SOCKOPT_LINGER, 0);
        $hub->connect(BELFRY_PUBLISH);
        $hub->sendMulti([$channel, $event, json_encode($data), json_encode($options)]);
        $answer = $hub->recvMulti();
        if (!$answer)
            continue;
        if ($answer[0] !== 'ok')
            throw new RuntimeException("$answer[1]: $answer[2]");
        return $answer[1];
    }
    throw new RuntimeException('no answer from ' . BELFRY_PUBLISH);
}

if (realpath($argv[0]) === __FILE__)
    echo belfry_publish($argv[1], ['text' => $argv[2]]), "\n";

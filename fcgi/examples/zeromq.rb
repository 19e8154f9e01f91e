#!/usr/bin/ruby
# frozen_string_literal: true

# zeromq.rb CHANNEL TEXT -- publishes over ZeroMQ (ruby-ffi-rzmq); prints the event's id when it is on the hub's disk.
require 'ffi-rzmq'
require 'json'
require 'securerandom'

module Belfry
  ENDPOINT = ENV.fetch('BELFRY_PUBLISH', 'ipc:///run/belfry/publish.ipc')

  # The event's id. It is tried again under one key, so that it is published once, whatever happens.
  def self.publish(channel, data, event: '')
    options = { json: true, idempotencyKey: SecureRandom.uuid }
    3.times do
      said, *what = ask([channel, event, data.to_json, options.to_json])
      next unless said
      raise what.join(': ') unless said == 'ok'

      return what[0]
    end
    raise "no answer from #{ENDPOINT}"
  end

  # The answer's frames; none in five seconds: nil.
  def self.ask(frames)
    context = ZMQ::Context.new
    hub = context.socket(ZMQ::REQ)
    hub.setsockopt(ZMQ::RCVTIMEO, 5000)
    hub.setsockopt(ZMQ::LINGER, 0)
    hub.connect(ENDPOINT)
    hub.send_strings(frames)
    answer = []
    ZMQ::Util.resultcode_ok?(hub.recv_strings(answer)) ? answer : nil
  ensure
    hub&.close
    context&.terminate
  end
end

puts Belfry.publish(ARGV[0], { text: ARGV[1] }) if $PROGRAM_NAME == __FILE__

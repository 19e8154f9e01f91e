#!/usr/bin/ruby
# frozen_string_literal: true

# Belfry from Ruby, with its standard library alone.
#
#     ruby belfry.rb token alice 'room:*'       a token with which alice may read and write these, for an hour
#     ruby belfry.rb publish room:1 'hello'     prints the event's id when it is on the hub's disk
require 'base64'
require 'json'
require 'net/http'
require 'openssl'
require 'securerandom'

module Belfry
  URL = ENV.fetch('BELFRY_URL', 'http://127.0.0.1:8080/events')
  SECRET = ENV.fetch('BELFRY_SECRET', '/etc/belfry/secret') # the file that token_keys names

  # A JSON Web Token; rights are subscribe:, publish:, presence: lists of channels and patterns.
  def self.token(user, seconds = 3600, **rights)
    now = Time.now.to_i
    claims = { sub: user, iat: now, exp: now + seconds, belfry: rights }
    signed = [{ alg: 'HS256' }, claims].map { |each| part(each.to_json) }.join('.')
    "#{signed}.#{part(OpenSSL::HMAC.digest('SHA256', File.read(SECRET).strip, signed))}"
  end

  def self.part(data) = Base64.urlsafe_encode64(data, padding: false)

  # The event's id. It is tried again under one key, so that it is published once, whatever happens.
  def self.publish(channel, data, event: nil)
    body = { channel: channel, data: data, event: event }.compact.to_json
    headers = { 'Content-Type' => 'application/json', 'Idempotency-Key' => SecureRandom.uuid,
                'Authorization' => "Bearer #{token('application', 60, publish: [channel])}" }
    [0.3, 1, 3, nil].each do |pause|
      answer = post("#{URL}/send", body, headers)
      return JSON.parse(answer.body)['id'] if answer.code == '200'
      raise answer.body if pause.nil? || !%w[429 503].include?(answer.code)

      sleep pause
    rescue SystemCallError, IOError, Timeout::Error
      raise if pause.nil?

      sleep pause
    end
  end

  def self.post(url, body, headers)
    uri = URI(url)
    Net::HTTP.start(uri.host, uri.port, use_ssl: uri.scheme == 'https', read_timeout: 15) do |http|
      http.post(uri.path, body, headers)
    end
  end
end

if $PROGRAM_NAME == __FILE__
  case ARGV
  in ['token', user, *channels] then puts Belfry.token(user, subscribe: channels, publish: channels)
  in ['publish', channel, text] then puts Belfry.publish(channel, { text: text })
  else abort 'usage: belfry.rb token USER CHANNEL... | publish CHANNEL TEXT'
  end
end

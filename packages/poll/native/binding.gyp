# The poll addon: one primitive, plus the C++ every backend shares.
{
  'includes': ['../../addon/native.gypi'],
  'targets': [
    {
      'target_name': 'poll',
      'sources': ['poll.cc', '<!@(node ../../addon/sources.mjs ../../addon/src)'],
    },
  ],
}

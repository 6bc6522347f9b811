# The testkit addon: what tests need from the system and Node does not offer.
{
  'includes': ['../../addon/native.gypi'],
  'targets': [
    {
      'target_name': 'testkit',
      'sources': ['<!@(node ../../addon/sources.mjs .)', '../../addon/src/runtime.cc'],
      'conditions': [
        # A delayed write may still sleep in this code when the worker that asked for it is gone.
        ['OS=="linux"', { 'ldflags': ['-Wl,-z,nodelete'] }],
      ],
    },
  ],
}
